"""A tap over the API of things: as small as a tap can be, and of the standard library alone; a project has it in its folder."""

import argparse
import json
import pathlib
import sys
import urllib.parse
import urllib.request


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("config", "catalog", "state"):
        parser.add_argument(f"--{name}", type=read)
    parser.add_argument("--discover", action="store_true")
    given = parser.parse_args()
    print("INFO a record may stand here: hidden-row", file=sys.stderr)
    if given.discover:
        print(json.dumps(get(given.config, "catalog")))
        return
    for entry in given.catalog["streams"]:
        told = next(one["metadata"] for one in entry["metadata"] if not one["breadcrumb"])
        if told.get("selected"):
            sync(given.config, entry, told, given.state or {})


def sync(config: dict, entry: dict, told: dict, state: dict) -> None:
    """Bookmarks the greatest `updated`; between two pages, the last id too."""
    name = entry["stream"]
    write(type="SCHEMA", stream=name, schema=entry["schema"], key_properties=entry["key_properties"])
    mark = state.get("bookmarks", {}).get(name, {}) if told["replication-method"] == "INCREMENTAL" else {}
    since, after, most = mark.get("updated", ""), mark.get("after", ""), mark.get("most", mark.get("updated", ""))
    wanted = {one["breadcrumb"][1] for one in entry["metadata"] if one["breadcrumb"] and one["metadata"].get("selected")}
    while True:
        page = get(config, name, **{"from": since, "after": after})
        for record in page["data"]:
            write(type="RECORD", stream=name, record={field: value for field, value in record.items() if field in wanted})
            most = max(most, record["updated"])
        after = page["next"]
        if not after:
            break
        write(type="STATE", value={"bookmarks": {name: {"updated": since, "after": after, "most": most}}})
    write(type="STATE", value={"bookmarks": {name: {"updated": most}}})


def get(config: dict, path: str, **query: str) -> dict:
    url = f"{config['url']}/{urllib.parse.quote(path)}?{urllib.parse.urlencode({k: v for k, v in query.items() if v})}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {config['token']}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def write(**message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def read(name: str) -> dict:
    return json.loads(pathlib.Path(name).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
