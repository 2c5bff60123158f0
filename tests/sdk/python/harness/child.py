"""A process of the test's own: its output in files, ended by its own id."""

import subprocess
from pathlib import Path


class Child:
    """A running process, whose standard output and error go to `NAME.out` and `NAME.err`."""

    def __init__(self, name: str, command: list[str], folder: Path, env: dict[str, str]) -> None:
        self.name = name
        self.out = folder / f"{name}.out"
        self.err = folder / f"{name}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self._process = subprocess.Popen(
                command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )

    def first_line(self) -> str | None:
        """The first whole line of standard output; None as long as there is none."""
        self.ensure_running()
        line, newline, _ = self.out.read_text(errors="replace").partition("\n")
        return line if newline else None

    def ensure_running(self) -> None:
        """Raises AssertionError, with its last words, if it has ended."""
        if (status := self._process.poll()) is not None:
            raise AssertionError(f"{self.name} ended with {status}:\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of what it wrote."""
        return "\n".join(path.read_text(errors="replace")[-4000:] for path in (self.out, self.err))

    def stop(self) -> int:
        """Asks it to end, and waits for that; answers its exit status."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                raise AssertionError(f"{self.name} did not end within 40 s of SIGTERM:\n{self.last_words()}") from None
        return self._process.returncode
