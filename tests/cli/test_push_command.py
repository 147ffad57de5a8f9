"""`metricloop push` and `init --remote`."""

from __future__ import annotations

import subprocess

from stored import make_stored, sh

from metricloop.cli.main import main


def test_a_study_is_copied_and_the_address_is_kept(tmp_path, capsys):
    folder, store = make_stored(tmp_path / "lions"), tmp_path / "store"
    assert main(["push", "-C", str(folder)]) == 1
    assert "has no copy elsewhere; say where: metricloop push" in capsys.readouterr().err
    assert main(["push", "-C", str(folder), "--remote", str(store)]) == 0
    assert capsys.readouterr().out == f"{store}: 1 files pushed\n"
    assert main(["push", "-C", str(folder)]) == 0
    assert capsys.readouterr().out == f"{store}: has all files\n"


def test_a_new_study_is_copied_at_once_and_a_wrong_address_leaves_no_folder(tmp_path, capsys):
    folder, store = tmp_path / "demo", tmp_path / "store"
    assert main(["init", str(folder), "--demo", "--remote", "s3://me:secret@bucket/demo"]) == 1
    assert "no user or password" in capsys.readouterr().err
    assert not folder.exists()
    assert main(["init", str(folder), "--demo", "--remote", str(store)]) == 0
    assert f"  copy       {store}: has all files" in capsys.readouterr().out
    heads = [sh(place, "git", "rev-parse", "main") for place in (folder, store)]
    assert heads[0] == heads[1]
    assert subprocess.run(["git", "status", "--porcelain"], cwd=folder, capture_output=True, check=True).stdout == b""
