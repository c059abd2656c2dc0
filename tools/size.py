"""Size budget: a file at most 300 lines, a function at most 40 besides its docstring. Exit code 1 when over it."""

import ast
import sys
from pathlib import Path

MOST_FILE_LINES, MOST_FUNCTION_LINES = 300, 40
SOURCE = Path(__file__).resolve().parent.parent / "src"


def main() -> int:
    over = []
    for path in sorted(path for path in SOURCE.rglob("*") if path.suffix in (".py", ".js", ".css")):
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > MOST_FILE_LINES:
            over.append(f"{path}: {len(text.splitlines())} lines, at most {MOST_FILE_LINES}")
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                docstring = node.body[0] if ast.get_docstring(node) else None
                documented = docstring.end_lineno - docstring.lineno + 1 if docstring else 0
                length = node.end_lineno - node.lineno + 1 - documented
                if length > MOST_FUNCTION_LINES:
                    over.append(f"{path}:{node.lineno}: {node.name} has {length} lines, at most {MOST_FUNCTION_LINES}")
    print("\n".join(over) or "size: within budget")
    return bool(over)


if __name__ == "__main__":
    sys.exit(main())
