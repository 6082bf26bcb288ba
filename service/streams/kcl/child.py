"""A child of the Kinesis Client Library's daemon: it passes one shard's records to the service, and checkpoints what is
applied.

    python -m service.streams.kcl.child SOCKET STREAM_ARN

The daemon starts one for each shard that its worker has leased, and speaks amazon_kclpy's protocol with it on stdin and stdout.
The service applies the records; a child has neither the mapping nor a connection to DynamoDB.
"""

import socket
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from amazon_kclpy import kcl
from amazon_kclpy.checkpoint_error import CheckpointError
from amazon_kclpy.v3.processor import RecordProcessorBase
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from service.escape import escaped
from service.streams.kcl.frames import HEADER, bare, batch, document, frame_length, framed, opening

CHECKPOINT_ATTEMPTS = 8
LEASE_IS_LOST = "ShutdownException"
"""How KCL reports at a checkpoint that another worker has the lease; a call of ``lease_lost`` follows."""

THROTTLED = "ThrottlingException"

Method = TypeVar("Method", bound=Callable[..., None])


class Link:
    """The connection to the service."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)

    def ask(self, question: bytes) -> dict[str, Any]:
        """The answer to ``question``. There is no deadline: the service decides. Raises ConnectionError when the service is
        gone."""
        self._socket.sendall(framed(question))
        return document(self._read(frame_length(self._read(HEADER.size))))

    def _read(self, length: int) -> bytes:
        chunks, missing = [], length
        while missing:
            chunk = self._socket.recv(min(missing, 1 << 20))
            if not chunk:
                raise ConnectionError("the service has closed the connection")
            chunks.append(chunk)
            missing -= len(chunk)
        return b"".join(chunks)


def _or_exit(method: Method) -> Method:
    """Exit the process when ``method`` fails.

    amazon_kclpy would ignore the exception, and the next checkpoint would pass over the batch: silent loss. The daemon ends
    with its child, and the batch is delivered again.
    """

    @wraps(method)
    def guarded(*arguments: Any) -> None:
        try:
            method(*arguments)
        except Exception as error:  # noqa: BLE001 (no failure may be ignored)
            print(escaped(f"tablesplit child: {type(error).__name__}: {error}"), file=sys.stderr, flush=True)
            sys.exit(1)

    return guarded  # type: ignore[return-value]  # wraps keeps the signature


class ShardProcessor(RecordProcessorBase):  # type: ignore[misc]  # amazon_kclpy has no types
    """The methods that KCL calls for one shard."""

    def __init__(self, link: Link, stream: str) -> None:
        self._link = link
        self._stream = stream
        self._lost = False
        self._has_left = False

    @_or_exit
    def initialize(self, initialize_input: Any) -> None:
        """The shard is leased: ask the service to claim it."""
        self._lost = self._link.ask(opening(self._stream, initialize_input.shard_id))["lost"]

    @_or_exit
    def process_records(self, process_records_input: Any) -> None:
        """Have a batch applied. An empty batch is passed on too: it shows that the shard was read to its end."""
        records = batch(record.binary_data for record in process_records_input.records)
        self._checkpoint(self._answer_to(records)["checkpoint"], process_records_input.checkpointer)

    @_or_exit
    def lease_lost(self, lease_lost_input: Any) -> None:  # noqa: ARG002 (KCL names it)
        """Another worker has the shard, or it was given back."""
        self._leave()

    @_or_exit
    def shard_ended(self, shard_ended_input: Any) -> None:
        """Have the end confirmed, then checkpoint it: only then are the children of the shard read."""
        if not self._answer_to(bare("end"))["lost"]:
            self._checkpoint("", shard_ended_input.checkpointer)

    @_or_exit
    def shutdown_requested(self, shutdown_requested_input: Any) -> None:
        """The worker stops: checkpoint what is applied by now."""
        self._checkpoint(self._leave(), shutdown_requested_input.checkpointer)

    def _leave(self) -> str | None:
        """Tell the service that this child applies no more; return the sequence number that can be checkpointed, or None."""
        if self._lost or self._has_left:
            return None
        self._has_left = True
        try:
            sequence: str | None = self._link.ask(bare("leave"))["checkpoint"]
        except ConnectionError:
            return None  # the service has finished with the shard, so nothing is checkpointed
        return sequence

    def _answer_to(self, question: bytes) -> dict[str, Any]:
        """The service's answer.

        Once another worker has claimed the shard, KCL must report that next. If it delivers more records instead, this raises:
        the daemon is restarted, so that the shard is claimed again and no record is passed over.
        """
        if self._lost:
            raise ConnectionError("another worker has claimed the shard, but KCL goes on delivering it here")
        answer = self._link.ask(question)
        self._lost = answer["lost"]
        return answer

    def _checkpoint(self, sequence: str | None, checkpointer: Any) -> None:
        """Checkpoint at ``sequence``; "" stands for the shard's end, None for no checkpoint."""
        if sequence is None:
            return
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, CheckpointError) and error.value == THROTTLED),
            stop=stop_after_attempt(CHECKPOINT_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=10),
            reraise=True,
        )
        try:
            retrying(checkpointer.checkpoint, sequence or None)
        except CheckpointError as refused:
            if refused.value != LEASE_IS_LOST:
                raise


def main() -> None:
    """Serve the daemon until it closes stdin."""
    path, stream = sys.argv[1:]
    protocol, sys.stdout = sys.stdout, sys.stderr  # a print statement would break the protocol
    kcl.KCLProcess(ShardProcessor(Link(path), stream), output_file=protocol).run()


if __name__ == "__main__":
    main()
