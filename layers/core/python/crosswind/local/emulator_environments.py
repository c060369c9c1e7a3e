"""How MiniStack's Lambda environments behave on a laptop: few at a time, and quick to begin.

Like emulator_host, this imports nothing but the standard library: both run in the emulator's own environment.
"""

import hashlib
import shutil
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

CROWD = 20
MOST_MORE = 4
_LAYER = "layer_"


def wait_for_environments(service: Any, *, limit: int) -> None:
    """Let invocations of one function wait for a free environment once `limit` of them are busy.

    Each environment is a process, and MiniStack starts as many as there are concurrent invocations: a stage of a thousand
    shards would start a hundred interpreters at once and starve everything else on a laptop. Where many wait, one more is
    started for each CROWD of them, up to MOST_MORE: a thousand shards that end together wait mostly for answers.
    """
    acquire, release = service.acquire_worker, service.release_worker
    turns: dict[str, _Turns] = {}
    mine = (
        threading.local()
    )  # an invocation takes and gives back on one thread, with None for a worker that has died

    def acquire_in_turn(function: str, *args: Any, **options: Any) -> Any:
        turn = turns.setdefault(function, _Turns(limit))
        turn.acquire()
        try:
            worker, how = acquire(function, *args, **options)
        except BaseException:
            turn.release()
            raise
        if worker is None:
            turn.release()
        else:
            mine.held = [*getattr(mine, "held", ()), turn]
        return worker, how

    def release_in_turn(worker: Any) -> None:
        try:
            release(worker)
        finally:
            *mine.held, turn = mine.held
            turn.release()

    service.acquire_worker, service.release_worker = acquire_in_turn, release_in_turn


class _Turns:
    """Places for so many at once, and for a few more where the line is long. What was added stays."""

    def __init__(self, limit: int) -> None:
        self._places = threading.Semaphore(limit)
        self._lock = threading.Lock()
        self._waiting = 0
        self._more = 0

    def acquire(self) -> None:
        with self._lock:
            self._waiting += 1
            if self._more < MOST_MORE and self._waiting > CROWD * (self._more + 1):
                self._more += 1
                self._places.release()
        self._places.acquire()
        with self._lock:
            self._waiting -= 1

    def release(self) -> None:
        self._places.release()


def share_layers(runtime: Any, folder: Path) -> None:
    """Unpack each layer once, by its content, and give every environment a link to it.

    MiniStack unpacks all layers anew for each environment: thousands of files, which cost most of a cold start.
    """
    shared = _SharedLayers(folder)

    class Archive(zipfile.ZipFile):
        """An archive that is unpacked as before, unless it is a layer's."""

        @property
        def _is_layer(self) -> bool:
            return Path(str(self.filename)).name.startswith(_LAYER)

        def namelist(self) -> list[str]:
            """MiniStack looks each name up on the disk; one look at a layer is enough."""
            return [] if self._is_layer and shared.has(self) else super().namelist()

        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            if not self._is_layer:
                super().extractall(path, members, pwd)
                return
            target = Path(path)
            place = shared.unpacked(self)
            target.rmdir()
            target.symlink_to(place, target_is_directory=True)

    runtime.zipfile = SimpleNamespace(
        ZipFile=Archive,
        BadZipFile=zipfile.BadZipFile,
        LargeZipFile=zipfile.LargeZipFile,
        LargeFileError=zipfile.LargeZipFile,
    )


class _SharedLayers:
    """Unpacked layers, each in a folder that is named by its content and appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def has(self, archive: zipfile.ZipFile) -> bool:
        return self._place(archive).is_dir()

    def unpacked(self, archive: zipfile.ZipFile) -> Path:
        """Where it lies."""
        place = self._place(archive)
        with self._lock:
            if not place.is_dir():
                staged = place.with_suffix(".new")
                shutil.rmtree(staged, ignore_errors=True)  # of one that was killed
                zipfile.ZipFile.extractall(archive, staged)
                staged.replace(place)
        return place

    def _place(self, archive: zipfile.ZipFile) -> Path:
        with Path(str(archive.filename)).open("rb") as file:
            return self._folder / hashlib.file_digest(file, "sha256").hexdigest()
