// Questions to the server of this page. An error always carries a sentence that can be shown.

export class Refused extends Error {
  constructor(status, reply) {
    super(reply.error || reply.sentence || `The server answered ${status}.`);
    this.status = status;
    this.reply = reply;
  }
}

/** The server did not answer at all. */
export class Unreached extends Error {
  constructor() {
    super("The server of this page is not running. Start it again: corrigible review");
  }
}

async function answered(path, options) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw new Unreached();
  }
  const reply = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, reply);
  return reply;
}

export function read(path, query = {}) {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined));
  return answered(asked.size ? `${path}?${asked}` : path, {});
}

export function send(path, body) {
  return answered(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

export function sendFile(path, file) {
  return answered(path, {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream", "X-Name": encodeURIComponent(file.name) },
    body: file,
  });
}

export function itemHref(split, row) {
  return `/item/${encodeURIComponent(split)}/${row}`;
}
