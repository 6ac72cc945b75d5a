"""How a worker shows that it listens."""

import shutil
from pathlib import Path

from portal.outbox.bell import DatagramEar


def test_a_worker_whose_folder_can_no_longer_be_written_goes_on_and_ends(tmp_path: Path) -> None:
    ear = DatagramEar(tmp_path)
    file = tmp_path / "workers" / ear.name
    assert file.exists()
    shutil.rmtree(file.parent)
    file.parent.write_text("where nothing can be written")
    ear.show_life()
    ear.close()
    assert file.parent.is_file()
