"""A training that suffers one fault after the other, drawn by a seed, ends with the weights of one that was left alone.

About one fault a minute: three with ``make test-system``, as many as you like with ``make soak MINUTES=30 SEED=1``.
"""

import hashlib
import os
import random

import pytest

from tests.support.project import Project
from tests.system import faults
from tests.system.conftest import BUCKET
from tests.system.faults import WEIGHTS, Fault, Field, Training, endure
from tests.system.test_faults import ALONE_S, CONFIG
from tests.system.test_faults import field as field

MINUTES, SEED = int(os.environ.get("SOAK_MINUTES", "3")), int(os.environ.get("SOAK_SEED", "0"))
EVERY = 4000  # images from fault to fault: while some faults last, training goes on slowly
QUIET = 2  # faults' worth of images after the last one
CLOCKS = "clocks are an hour slow for a while"
# Five minutes' worth of images: so long Ray may keep reports to itself after a clock was put right.
ASLEEP = 300 * 1000
POOL: dict[str, Fault] = {
    "a worker is killed": faults.worker_killed,
    "a cable is pulled for 5 s": faults.cable(5),
    CLOCKS: faults.clocks_wrong(-3600),
    "a machine loses its power": faults.node_lost,
    "the driver is killed": faults.driver_killed,
    "a spot machine is taken away": faults.drained,
    "the newest checkpoint is damaged": faults.newest_damaged,
    "S3 is down for 20 s": faults.s3_down(20),
    "the tracking server is down for 20 s": faults.mlflow_down(20),
}


def test_soak(field: Field, tmp_path_factory: pytest.TempPathFactory) -> None:
    draw = random.Random(SEED)
    harm = {}
    for number in range(1, MINUTES + 1):
        name = draw.choice(list(POOL))
        harm[f"{number}. {name}"] = POOL[name]
    asleep = ASLEEP * sum(CLOCKS in name for name in harm)
    config = (*CONFIG, f"training.kimg={(EVERY * (len(harm) + QUIET) + asleep) / 1000}", "cluster.workers=2")
    alone = Project(tmp_path_factory.mktemp("soak"), *config).ready_to_train()
    alone.stage("train", ALONE_S)

    name = f"soak-{SEED}-{MINUTES}"
    training = Training(field, name, f"s3://{BUCKET}/{name}", (*config, "cluster.max_failures=20"))
    outcome = endure(training, alone.folder / "data", harm, first=EVERY, every=EVERY)
    print(outcome)
    outcome.keep(name)
    assert outcome.status == 0, outcome
    assert outcome.digest == hashlib.sha256(alone.read(WEIGHTS)).hexdigest()
