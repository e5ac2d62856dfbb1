"""The methods by name, in the order of the table: each fits on training rows, stops on validation rows, predicts."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.relational.given import Given, Predictions
from benchmarks.relational.methods import boosting, dfs, nexusformer, sage, simple, tabular


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method: `predict` gives validation and test rows' probabilities ([N], or [N, O] of classes) or values.

    `unavailable` says why it cannot run here, or gives None.
    """

    name: str
    title: str
    predict: Callable[[Given], Predictions]
    unavailable: Callable[[], str | None] = lambda: None


OURS, TREES, BLEND = "nexusformer", "lightgbm-aggregates", "blend"
METHODS = {
    method.name: method
    for method in (
        Method(name="constant", title="Majority or median", predict=simple.constant),
        Method(name="entity-mean", title="Entity mean", predict=simple.entity_mean),
        Method(name="lightgbm-own", title="LightGBM, own columns", predict=boosting.lightgbm_own),
        Method(name=TREES, title="LightGBM, aggregates", predict=boosting.lightgbm_aggregates),
        Method(
            name="lightgbm-like-ours",
            title="LightGBM, aggregates, rows as NexusFormer's",
            predict=boosting.lightgbm_like_ours,
        ),
        Method(
            name="xgboost-aggregates",
            title="XGBoost, aggregates",
            predict=boosting.xgboost_aggregates,
            unavailable=boosting.no_xgboost,
        ),
        Method(
            name="dfs-lightgbm",
            title="Featuretools DFS + LightGBM",
            predict=dfs.dfs_lightgbm,
            unavailable=dfs.no_featuretools,
        ),
        Method(name="graphsage", title="GraphSAGE", predict=sage.graphsage),
        Method(name="ft-transformer", title="FT-Transformer, flattened", predict=tabular.ft_transformer),
        Method(name="tabnet", title="TabNet, flattened", predict=tabular.tabnet),
        Method(name=OURS, title="NexusFormer", predict=nexusformer.nexusformer),
    )
}
