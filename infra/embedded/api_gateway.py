"""Serves the $default stage of an HTTP API at the API's root, as API Gateway does; ministack takes the path's first word for a stage.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-stages.html
"""

from ministack import app  # type: ignore[import-untyped]
from ministack.services import apigateway  # type: ignore[import-untyped]

DEFAULT = "$default"
Asked = tuple[str, str, str]


def serve_default_stages() -> None:
    """Enables it; to be called once, before the first request."""
    parse = app._parse_execute_api_url

    def parse_with_stages(host: str, path: str) -> Asked | None:
        found: Asked | None = parse(host, path)
        if found is None or not app._EXECUTE_API_RE.match(host):
            return found
        api, stage, _ = found
        stages = apigateway.stages_for_api(api)
        return (api, DEFAULT, path) if DEFAULT in stages and stage not in stages else found

    app._parse_execute_api_url = parse_with_stages
