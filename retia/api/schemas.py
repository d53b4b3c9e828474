"""What clients send: the models of the bodies."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from retia.shards.manifest import Line, Manifest, Model, SealedManifest, Sha256

Scope = Literal["read", "submit", "publish", "admin"]
AccountName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,38}[A-Za-z0-9]$")
]
Email = Annotated[
    str, StringConstraints(pattern=r"^[^\s@<>\x00-\x1f\x7f]{1,64}@[A-Za-z0-9.-]{1,190}$")
]
Secret = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
Password = Annotated[str, StringConstraints(min_length=10, max_length=200)]


class Person(Model):
    """Who an account is for; with an invitation where the server asks for one."""

    name: AccountName
    email: Email | None = None
    invitation: Secret | None = None


class NewUser(Person):
    """An account to be made, that signs in with a password."""

    password: Password


class NewInvitation(Model):
    """An invitation to be made, and the role that it gives."""

    role: Literal["user", "publisher"] = "user"


class NewToken(Model):
    """A token to be made; its scopes are at most those of the account's role."""

    name: AccountName
    password: Annotated[str, StringConstraints(max_length=200)]
    scopes: tuple[Scope, ...] = Field(min_length=1, max_length=4)
    label: Line = ""
    days: Annotated[int, Field(ge=1, le=366)] = 90


class SealedPart(Model):
    """The part of a version that never leaves the server: a manifest, and the 256-bit secret."""

    manifest: SealedManifest
    secret: Sha256


class NewPublication(Model):
    """A version to be published: its manifest, and its sealed part where it has one."""

    manifest: Manifest
    sealed: SealedPart | None = None
