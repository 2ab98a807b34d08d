"""Keeps a shard that was split or merged, as Kinesis does: readable to its end, and told as the parent of what it became.

ministack forgets it at once, with its events: https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-after-resharding.html
"""

import json
import time
from typing import Any

from ministack.services import kinesis  # type: ignore[import-untyped]

Stream = dict[str, Any]
Answer = tuple[int, dict[str, str], Any]


def keep_closed_shards() -> None:
    """Enables it; to be called once, before the first call."""
    split, merge = kinesis._split_shard, kinesis._merge_shards

    def split_shard(data: Stream) -> Answer:
        return _resharded(data, split, data.get("ShardToSplit"))

    def merge_shards(data: Stream) -> Answer:
        return _resharded(data, merge, data.get("ShardToMerge"), data.get("AdjacentShardToMerge"))

    kinesis._split_shard, kinesis._merge_shards, kinesis._update_shard_count = split_shard, merge_shards, _update_shard_count
    _read_to_their_ends()
    _take_no_more()


def _read_to_their_ends() -> None:
    told, read = kinesis._shard_out, kinesis._get_records

    def shard_out(shard_id: str, shard: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = told(shard_id, shard)
        if "closed" in shard:
            found["SequenceNumberRange"]["EndingSequenceNumber"] = shard["closed"]
        return found

    def get_records(data: Stream) -> Answer:
        shard = _shard(kinesis._shard_iterators.get(data.get("ShardIterator")))
        status, headers, body = read(data)
        if status == 200 and shard and "closed" in shard:
            answer = json.loads(body)
            after = kinesis._shard_iterators[answer["NextShardIterator"]]
            if after["position"] >= len(shard["records"]):
                answer["NextShardIterator"] = None
                body = json.dumps(answer).encode()
        return status, headers, body

    kinesis._shard_out, kinesis._get_records = shard_out, get_records


def _take_no_more() -> None:
    route, expire, summary = kinesis._route_to_shard, kinesis._expire_records, kinesis._describe_stream_summary

    def route_to_shard(hash_key: int, stream: Stream) -> str:
        return str(route(hash_key, {**stream, "shards": _open(stream)}))

    def expire_records(stream: Stream) -> None:
        expire(stream)
        before = time.time() - stream["RetentionPeriodHours"] * 3600
        for name in [name for name, shard in stream["shards"].items() if shard.get("closed_at", before) < before]:
            del stream["shards"][name]

    def describe_stream_summary(data: Stream) -> Answer:
        status, headers, body = summary(data)
        _, stream = kinesis._resolve_stream(data)
        if status == 200:
            answer = json.loads(body)
            answer["StreamDescriptionSummary"]["OpenShardCount"] = len(_open(stream))
            body = json.dumps(answer).encode()
        return status, headers, body

    kinesis._route_to_shard, kinesis._expire_records = route_to_shard, expire_records
    kinesis._describe_stream_summary = describe_stream_summary


def _resharded(data: Stream, reshard: Any, *names: Any) -> Answer:
    """Shards are split and merged that are open; they are closed then."""
    _, stream = kinesis._resolve_stream(data)
    parents = {name: stream["shards"].get(name) for name in names} if stream else {}
    for name, shard in parents.items():
        if shard and "closed" in shard:
            refused: Answer = kinesis.error_response_json("ResourceInUseException", f"Shard {name} is closed", 400)
            return refused
    answer: Answer = reshard(data)
    if answer[0] == 200:
        for name, shard in parents.items():
            stream["shards"][name] = {**shard, "closed": kinesis._next_sequence_number(), "closed_at": time.time()}
    return answer


def _update_shard_count(data: Stream) -> Answer:
    """Makes twice as many, or half as many, by splits and merges."""
    _, stream = kinesis._resolve_stream(data)
    if not stream:
        found: Answer = kinesis.error_response_json("ResourceNotFoundException", "Stream not found", 400)
        return found
    shards, target = _open(stream), int(data.get("TargetShardCount") or 0)
    asked = {"StreamName": stream["StreamName"], "StreamARN": stream["StreamARN"]}
    in_order = sorted(shards, key=lambda name: int(shards[name]["starting_hash_key"]))
    if target == 2 * len(shards):
        for name in in_order:
            middle = (int(shards[name]["starting_hash_key"]) + int(shards[name]["ending_hash_key"])) // 2 + 1
            kinesis._split_shard({**asked, "ShardToSplit": name, "NewStartingHashKey": str(middle)})
    elif 2 * target == len(shards):
        for one, other in zip(in_order[::2], in_order[1::2], strict=True):
            kinesis._merge_shards({**asked, "ShardToMerge": one, "AdjacentShardToMerge": other})
    else:
        refused: Answer = kinesis.error_response_json("InvalidArgumentException", "Here: twice as many shards, or half as many", 400)
        return refused
    done: Answer = kinesis.json_response({**asked, "CurrentShardCount": len(shards), "TargetShardCount": target})
    return done


def _open(stream: Stream) -> dict[str, Any]:
    return {name: shard for name, shard in stream["shards"].items() if "closed" not in shard}


def _shard(state: Any) -> Any:
    """The shard of an iterator's state; None for one that is not there."""
    stream = kinesis._streams.get(state["stream"]) if state else None
    return stream["shards"].get(state["shard_id"]) if stream else None
