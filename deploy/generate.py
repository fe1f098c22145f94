"""Writes what Prometheus and Grafana read: `python -m deploy.generate`; `--check` only compares, exit 1 on a difference."""

import argparse
import json
import sys
from pathlib import Path

import yaml

from deploy.alerts import rules
from deploy.dashboards import dashboard

HERE = Path(__file__).resolve().parent
HEAD = "# Generated from deploy/alerts.py by `python -m deploy.generate`: change it there.\n"


def generated() -> dict[Path, str]:
    """Return every generated file with its content."""
    return {
        HERE / "prometheus" / "alerts.yml": HEAD + yaml.safe_dump(rules(), sort_keys=False, width=1000, allow_unicode=True),
        HERE / "grafana" / "dashboards" / "leadstream.json": json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n",
    }


def main() -> int:
    """Write or compare; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    different = [path for path, text in generated().items() if not path.is_file() or path.read_text() != text]
    for path in different:
        if check:
            sys.stderr.write(f"{path.relative_to(HERE.parent)} is not current: run `python -m deploy.generate`\n")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(generated()[path])
    return int(check and bool(different))


if __name__ == "__main__":
    sys.exit(main())
