"""Connectomes published: two tasks on one graph, weights, and findings that were accepted."""

import json
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from retia.cli import make_app
from retia.protocol.audit import audit
from retia.protocol.recipes import Visible, compute
from retia.shards.manifest import Acceptance
from tests.api.client import API
from tests.api.conftest import Local
from tests.protocol.test_audit_connectome import FULL, SVD, plain
from tests.toy_connectome import N, toy_links, toy_weights


def rows(local: Local, path: str) -> dict[str, dict]:
    answer = local.client.get(f"{API}/leaderboards/{path}")
    assert answer.status_code == 200, answer.text
    return {row["method"]: row for row in answer.json()["items"]}


def test_each_task_of_a_graph_has_its_board(local: Local, tmp_path: Path) -> None:
    outcome = local.publish(toy_links(tmp_path, "pair"))
    assert outcome["state"] == "published", outcome
    chemical, gap = rows(local, "toy-links/chemical"), rows(local, "toy-links/gap")
    assert set(chemical) == set(gap) == {"degree", "common-neighbours"}
    scores = [r["degree"]["scores"]["test"]["hard.mrr"]["mean"] for r in (chemical, gap)]
    assert scores[0] != scores[1]
    for task in ("chemical", "gap"):
        page = local.client.get(f"/leaderboards/toy-links/{task}", headers={"Accept": "text/html"})
        assert page.status_code == 200


def test_a_board_of_errors_has_the_least_first(local: Local, tmp_path: Path) -> None:
    outcome = local.publish(toy_weights(tmp_path, primary="mae"))
    assert outcome["state"] == "published", outcome
    found = rows(local, "toy-weight/weight")
    assert set(found) == {"mean", "degree-regression"}
    error = {name: row["scores"]["test"]["mae"]["mean"] for name, row in found.items()}
    assert [found[name]["rank"] for name in sorted(error, key=error.__getitem__)] == [1, 2]
    page = local.client.get("/leaderboards/toy-weight/weight", headers={"Accept": "text/html"})
    assert "mean absolute error; lower is better" in page.text


def test_a_sealed_task_on_weights_is_published_without_its_answers(
    local: Local, tmp_path: Path
) -> None:
    outcome = local.publish(toy_weights(tmp_path, sealed=True))
    assert outcome["state"] == "published", outcome
    mean = rows(local, "toy-weight/weight")["mean"]["scores"]["test"]
    assert mean["spearman"]["mean"] == 0
    values = np.array(mean["mae"]["seeds"])
    assert (values == values.round(4)).all()


def test_a_finding_is_published_with_its_reason_or_not_at_all(local: Local, tmp_path: Path) -> None:
    full = Visible(N, FULL, {})
    planted = tuple(
        plain(f"svd_{d}", compute(r, full)) for d, r in zip(("out", "in"), SVD, strict=True)
    )
    refused = local.publish(toy_links(tmp_path / "bare", columns=planted))
    assert refused["state"] == "refused"
    failed = [f for f in refused["findings"] if f["status"] == "failed"]
    assert failed
    reason = "Known, and <b>harmless</b> here."
    accepted = tuple(
        Acceptance(check=f["check"], subject=f["subject"], reason=reason) for f in failed
    )
    version = toy_links(tmp_path, columns=planted, accepted=accepted, version="1.0.1")
    outcome = local.publish(version)
    assert outcome["state"] == "published", outcome
    statuses = [f["status"] for f in outcome["findings"]]
    assert statuses.count("accepted") == len(failed)
    page = local.client.get("/datasets/toy-links", headers={"Accept": "text/html"}).text
    assert f"{len(failed)} failed and were accepted" in page
    assert page.count("was accepted by the publisher: Known, and &lt;b&gt;harmless") == len(failed)


def test_the_command_shows_what_was_accepted(tmp_path: Path) -> None:
    full = Visible(N, FULL, {})
    planted = (plain("svd", compute(SVD[0], full)),)
    bare = toy_links(tmp_path / "bare", columns=planted)
    failed = [f for f in audit(bare) if f.status == "failed"]
    accepted = tuple(Acceptance(check=f.check, subject=f.subject, reason="Known.") for f in failed)
    version = toy_links(tmp_path, columns=planted, accepted=accepted)
    runner = CliRunner()
    refused = runner.invoke(make_app(), ["audit", str(bare.root)])
    assert failed and refused.exit_code != 0
    fine = runner.invoke(make_app(), ["audit", str(version.root), "--json"])
    assert fine.exit_code == 0
    statuses = [finding["status"] for finding in json.loads(fine.stdout)]
    assert statuses.count("accepted") == len(failed)
    shown = runner.invoke(make_app(), ["inspect", str(version.root)]).stdout
    assert "Accepted findings of the audit" in shown and shown.count("Known.") == len(failed)
