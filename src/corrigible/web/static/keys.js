// Shortcuts: one list for what keys do and for the help that `?` shows.
import { button, el } from "./dom.js";
import { recall, remember } from "./memory.js";

const PLACE = "corrigible-shortcuts";
const isOn = () => recall(PLACE) !== "off";

/** Listens on the target for the keys that `list()` names now: [{key, shown?, words, act, isShift?}]. */
export class Shortcuts {
  constructor(target, list) {
    this.list = () => [...list(), { key: "?", words: "This help", act: () => this.help() }];
    this.target = target;
    this.listener = (event) => this.pressed(event);
    target.addEventListener("keydown", this.listener);
  }

  pressed(event) {
    if (event.defaultPrevented || event.altKey || document.querySelector("dialog[open]")) return;
    const isTyping = event.target.closest?.("input:not([type=radio], [type=range], [type=checkbox]), textarea, select");
    const isPressing = event.key === "Enter" && event.target.closest?.("button, a, summary");
    if (isTyping || isPressing) return;
    const isUndo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    if ((event.ctrlKey || event.metaKey) && !isUndo) return;
    if (!isUndo && event.key !== "?" && event.key !== "Enter" && !isOn()) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const found = this.list().find((each) => each.key === key && Boolean(each.isShift) === (event.shiftKey && /[a-z]/.test(key)));
    if (!found) return;
    event.preventDefault();
    found.act();
  }

  help() {
    const close = () => dialog.close();
    const rows = this.list().map(({ key, shown, words, isShift }) =>
      el("div", {}, el("dt", {}, isShift ? [el("kbd", {}, "Shift"), " "] : null, el("kbd", {}, shown || named(key))), el("dd", {}, words)));
    const dialog = el("dialog", { class: "help", "aria-labelledby": "help-title", onclose: () => dialog.remove() },
      el("h2", { id: "help-title" }, "Keys"),
      el("dl", {}, rows),
      el("label", {}, el("input", {
        type: "checkbox", checked: isOn(),
        onchange: (event) => remember(PLACE, event.target.checked ? "on" : "off"),
      }), " Single letters are shortcuts"),
      el("p", { class: "buttons" }, button("Close", close, { class: "main", autofocus: true })));
    (this.target.body ?? this.target).append(dialog);
    dialog.showModal();
  }

  destroy() {
    this.target.removeEventListener("keydown", this.listener);
  }
}

function named(key) {
  return key.length === 1 ? key.toUpperCase() : key;
}
