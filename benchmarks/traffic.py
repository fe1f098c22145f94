"""A steady flow of the 97/3 mix, from a process of its own so that it takes nothing from the worker's core.

`python -m benchmarks.traffic --kafka HOST:PORT --topic NAME --rate N --seconds N --visitors N`

Events are read from a file made before, and published in slices of a few milliseconds. It says `flowing` with the first
one, and at the end by how much it was late at worst.
"""

import argparse
import sys
import time

from confluent_kafka import Producer

from benchmarks import mix

SLICE_S = 0.005


def main() -> int:
    parser = argparse.ArgumentParser(description="Publish the mix at a steady rate.")
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--visitors", type=int, required=True)
    options = parser.parse_args()
    count = int(options.rate * options.seconds)
    events = mix.recorded(count, options.visitors)
    producer = Producer(
        {"bootstrap.servers": options.kafka, "partitioner": "murmur2_random", "linger.ms": SLICE_S * 1000, "log_level": 0}
    )
    slice_ = max(1, round(options.rate * SLICE_S))
    began, worst = time.monotonic(), 0.0
    print("flowing", flush=True)
    for number, (key, value) in enumerate(events):
        if number % slice_ == 0:
            producer.poll(0)
            ahead = began + number / options.rate - time.monotonic()
            worst = max(worst, -ahead)
            if ahead > 0:
                time.sleep(ahead)
        producer.produce(options.topic, value, key)
    producer.flush(60)
    print(f"flowed: late by {worst:.3f} s at worst, {time.process_time() / (time.monotonic() - began):.2f} cores", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
