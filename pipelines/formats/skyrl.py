"""SkyRL: prompts, each with the environment that rewards it.

Read in skyrl 0.3.0 and skyrl-gym 0.4.0 (2026-11): `skyrl/train/dataset/dataset.py`, `skyrl_gym/envs`. What counts:

- Every column but `prompt` and `env_class` reaches the environment as `extras`; `reward_spec.ground_truth` is the
  convention. Prompts longer than the limit are filtered out.
- Environments that come with it read `#### 4` (gsm8k) or `Answer: 4` (aime, in the last 300 characters), which our
  prompts do not ask for: so ours is written beside the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.formats.rows import Format, Made, Row, columns, each, messages, pick, room_for_prompts

if TYPE_CHECKING:
    import pyarrow as pa


def rl(row: Row) -> Row:
    """A prompt with its environment and what that rewards."""
    return {
        "data_source": row["verifier"],
        "prompt": row["prompt"],
        "env_class": "thoughtmill",
        "reward_spec": {"method": "rule", "ground_truth": row["answer"]},
        "extra_info": pick(row, "split", "index", "verifier", "problem_id", "pass_rate", "pair_id"),
    }


def rl_schema() -> pa.Schema:
    """One row for each problem; of tasks of judging `pair_id` says which belong together."""
    import pyarrow as pa

    told = {"split": pa.string(), "index": pa.int64(), "verifier": pa.string(), "problem_id": pa.string()}
    return columns(
        data_source=pa.string(),
        prompt=messages(),
        env_class=pa.string(),
        reward_spec=pa.struct([("method", pa.string()), ("ground_truth", pa.string())]),
        extra_info=pa.struct([*told.items(), ("pass_rate", pa.float64()), ("pair_id", pa.string())]),
    )


def environment_file(made: Made) -> Mapping[str, str]:
    return {"environment.py": ENVIRONMENT}


ENVIRONMENT = '''"""The verifiers that gated this dataset, as an environment of SkyRL: one answer, then its reward."""

from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput
from skyrl_gym.envs.registration import register

from filters.rewards import reward


class Verified(BaseTextEnv):
    def __init__(self, env_config=None, extras=None):
        super().__init__()
        self.verifier = extras["extra_info"]["verifier"]
        self.answer = extras["reward_spec"]["ground_truth"]

    def step(self, action):
        decided = reward(self.verifier, self.answer, action)
        told = {"decided": decided is not None}
        return BaseTextEnvStepOutput(observations=[], reward=decided or 0.0, done=True, metadata=told)


def register_environment():
    register(id="thoughtmill", entry_point="environment:Verified")
'''


def rl_training(made: Made) -> str:
    """The command, with room for every prompt."""
    return f"""Call `register_environment()` of `environment.py` in the entry point, as SkyRL's examples do for their
own, with this folder on `PYTHONPATH`; then

```sh
python main.py data.train_data="['$PWD/train.parquet']" environment.env_class=thoughtmill \\
    trainer.max_prompt_length={room_for_prompts(made)}
```

The limit is 512 by default, and longer prompts are filtered out.

SkyRL knows no undecided answer: it counts as 0.0, with `decided` false in the metadata.
"""


FORMATS = {"rl": Format("PromptDataset", each(rl), rl_schema, rl_training, extra=environment_file)}
