"""What the services the reader is compared with have in common: a body and a token."""

import hmac
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from benchmarks.reading.apps.serving import TOKEN

K = 10


class Recommendations(BaseModel):
    """The list of one user, as the reader answers it."""

    user_id: int
    items: list[int]


def check_token(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> None:
    """Let a request pass that has the token."""
    if not hmac.compare_digest(credentials.credentials.encode(), TOKEN.encode()):
        raise HTTPException(401)
