"""Clients that each send one customer with their rows, one request after another; read by Locust in its own process."""

import json
import os
import random
from pathlib import Path

from locust import FastHttpUser, constant, task

BODIES = Path(os.environ["NEXUSFLOW_BODIES"]).read_text(encoding="utf-8").splitlines()


class Client(FastHttpUser):
    """Asks again as soon as it is answered."""

    wait_time = constant(0)

    @task
    def predict(self) -> None:
        """One request; anything but one prediction is an error."""
        headers = {"content-type": "application/json"}
        with self.client.post(
            "/predict", data=random.choice(BODIES), headers=headers, catch_response=True
        ) as said:
            if said.status_code != 200 or len(json.loads(said.text)["predictions"]) != 1:
                said.failure(f"{said.status_code}: {said.text[:200]}")
