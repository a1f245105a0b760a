"""The whole tool on a recorded registry: a pricing team's half year in MLflow.

Real models were trained, registered, approved (or not), promoted, rolled back and deleted through
MLflow's own client, outside of this package (`tools/demo` of the repository). What ships is the
database at each reading and the model files; `run` extracts, checks and seals them as a firm would.
"""

from auditreg.demo.replay import DemoFiles, DemoResult, run

__all__ = ["DemoFiles", "DemoResult", "run"]
