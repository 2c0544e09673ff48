"""How a peer answers ring-bench: a JSON object a line in, one a line out."""

import json
import sys


def made_up(count: int) -> list[int]:
    """Tokens of no meaning."""
    return [(7 * index + 11) % 1000 for index in range(count)]


def serve(peer: object) -> None:
    """Calls the method that each request names in "do" with the rest of it, until there are no more."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(peer, request.pop("do"))(**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
