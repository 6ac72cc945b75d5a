"""How a worker shows that it listens."""

import shutil
from pathlib import Path

from portal.outbox.bell import DatagramBell, DatagramEar


def test_a_worker_whose_folder_can_no_longer_be_written_goes_on_and_ends(tmp_path: Path) -> None:
    ear = DatagramEar(tmp_path)
    file = tmp_path / "workers" / ear.name
    assert file.exists()
    shutil.rmtree(file.parent)
    file.parent.write_text("where nothing can be written")
    ear.show_life()
    ear.close()
    assert file.parent.is_file()


def test_an_ear_hears_a_call_and_nothing_else(tmp_path: Path) -> None:
    ear = DatagramEar(tmp_path)
    try:
        assert not ear.wait(0.01)
        DatagramBell(tmp_path).after_commit()
        assert ear.wait(5)
        assert not ear.wait(0.01)
    finally:
        ear.close()
