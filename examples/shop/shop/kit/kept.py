"""Records that outlive the process: a mapping from a name to a JSON value, in a file of SQLite.

A killed process loses nothing that it wrote. A machine that loses its power may lose the last moments: for a shop that
exists to be broken, speed matters more.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

Records = MutableMapping[str, Any]


class Kept(Records):
    """Keeps insertion order. Safe to use from any thread of one process."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS kept (number INTEGER PRIMARY KEY, name TEXT UNIQUE, value TEXT)"
        )

    def __getitem__(self, name: str) -> Any:
        rows = self._run("SELECT value FROM kept WHERE name = ?", name)
        if not rows:
            raise KeyError(name)
        return json.loads(rows[0][0])

    def __setitem__(self, name: str, value: Any) -> None:
        self._run(
            "INSERT INTO kept (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            name,
            json.dumps(value),
        )

    def __delitem__(self, name: str) -> None:
        if not self._run("DELETE FROM kept WHERE name = ? RETURNING name", name):
            raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter([row[0] for row in self._run("SELECT name FROM kept ORDER BY number")])

    def __len__(self) -> int:
        return int(self._run("SELECT count(*) FROM kept")[0][0])

    def _run(self, statement: str, *values: str) -> list[Any]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()
