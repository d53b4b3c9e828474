"""Verbs that check: `audit`."""

from typing import Annotated

import typer

from retia.cli.output import print_json, print_table
from retia.shards.errors import CheckError
from retia.shards.store import resolve


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command("audit", rich_help_panel="Datasets")(audit)


def audit(
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="name or name@version, or a version's folder")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Test a dataset for leaks. Exits with 1 when a test fails."""
    from retia.protocol.audit import audit as run_audit

    version = resolve(reference)
    findings = run_audit(version)
    if as_json:
        print_json([finding.as_dict() for finding in findings])
    else:
        rows = [(f.check, f.subject, f.status, f.detail) for f in findings]
        print_table(version.manifest.reference, ("check", "on", "status", "detail"), rows)
    failed = sum(finding.status == "failed" for finding in findings)
    if failed:
        raise CheckError(f"{version.manifest.reference}: {failed} of {len(findings)} checks failed")
