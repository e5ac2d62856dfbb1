"""The documented Python interface on the churn sample, with real training."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

import nexusflow
from nexusflow import (
    FTTransformerEncoder,
    NexusFlowClassifier,
    NexusFlowModelArtifact,
    NexusFlowRegressor,
    NexusFlowTrainer,
    NexusFormer,
    RelationalData,
    StandardEncoder,
    TabNetEncoder,
    load_model,
)
from nexusflow.errors import ArtifactError, ConfigError, DataError, TrainingError
from nexusflow.services.prediction import predict_with

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_data" / "churn"
CONFIG = ROOT / "configs" / "churn.yaml"
TABLES = ("customers", "transactions", "support_tickets", "store_visits")
FEW = {
    "architecture": {"global_embed_dim": 32, "num_blocks": 1, "rows_per_key": 3},
    # What gradient boosting teaches is looked at in tests/train.
    "training": {"epochs": 2, "batch_size": 128, "device": "cpu", "baselines": False, "distillation": 0.0},
}
CHURN = {"target": {"cutoff_column": "snapshot_date"}, **FEW}
# Two gigabytes of tables of a shop are no test: the first customers, and what is theirs.
CUSTOMERS = 500


@pytest.fixture(scope="module")
def frames():
    found = {name: pd.read_csv(SAMPLE / f"{name}.csv") for name in TABLES}
    first = found["customers"]["customer_id"].head(CUSTOMERS)
    return {name: f[f["customer_id"].isin(first)].reset_index(drop=True) for name, f in found.items()}


@pytest.fixture(scope="module")
def data(frames):
    target = {"target_table": "customers", "target_column": "churned", "cutoff_column": "snapshot_date"}
    return RelationalData.from_frames(frames, {"target": target, **FEW})


def encoders(of_transactions="medium"):
    return [
        FTTransformerEncoder(complexity="small"),
        StandardEncoder(complexity=of_transactions),
        TabNetEncoder(complexity="small", num_decision_steps=2),
        StandardEncoder(complexity="small"),
    ]


@pytest.fixture(scope="module")
def trained(data):
    """A model, its trainer and the artifact that came of it."""
    train_loader, val_loader, _ = data.loaders(batch_size=64)
    model = NexusFormer(encoders=encoders(), cross_attention=True, moe_experts=4)
    trainer = NexusFlowTrainer(model=model, use_early_stopping=True, patience=3, convergence_threshold=0.02)
    return model, trainer, trainer.train(train_loader, val_loader)


def test_training_takes_the_model_as_it_was_asked_for(trained):
    model, trainer, artifact = trained
    config = artifact.trained.config
    asked = [(d.transformer_type, d.complexity) for d in config.datasets]
    assert asked == [(e.transformer_type, e.complexity) for e in encoders()]
    assert config.datasets[2].num_decision_steps == 2
    assert (config.architecture.use_moe, config.architecture.num_experts) == (True, 4)
    assert config.architecture.global_embed_dim == 32
    assert config.architecture.convergence_threshold == 0.02
    assert (config.training.patience, config.training.batch_size) == (3, 64)
    assert trainer.run.status == "finished" and set(artifact.metrics) == {"train", "validation", "test"}
    assert model.network is artifact.trained.model


def test_an_artifact_predicts_the_same_after_saving_to_the_bit(trained, frames, tmp_path):
    artifact = trained[2]
    named = {f"{name}.csv": frame for name, frame in frames.items()}
    before = artifact.predict(named)
    assert len(before) == CUSTOMERS and {"customer_id", "prediction", "probability_1"} <= set(before)
    path = artifact.save(tmp_path / "model.nxf")
    pd.testing.assert_frame_equal(load_model(path).predict(named), before)
    pd.testing.assert_frame_equal(NexusFlowModelArtifact.load(path).predict(frames), before)


def test_files_and_frames_give_the_same_answers(trained, frames, tmp_path):
    artifact = trained[2]
    for name, frame in frames.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    of_files = artifact.predict({name: tmp_path / f"{name}.csv" for name in frames})
    of_folder = artifact.predict(tmp_path)
    pd.testing.assert_frame_equal(of_files, of_folder)
    of_frames = artifact.predict(frames)
    assert of_frames["probability_1"].tolist() == of_files["probability_1"].tolist()


def test_an_artifact_is_made_of_its_parts(trained):
    model, _, artifact = trained
    again = NexusFlowModelArtifact(
        model=model,
        preprocessors=artifact.preprocessors,
        feature_tokenizers=artifact.feature_tokenizers,
        optimization_metadata={"method": "none"},
    )
    assert again.trained is artifact.trained and again.optimization_metadata == {"method": "none"}
    assert set(artifact.feature_tokenizers) == set(TABLES)
    with pytest.raises(ArtifactError, match="not trained yet"):
        NexusFlowModelArtifact(model=NexusFormer())
    other = NexusFormer(encoders()).configure(artifact.trained.config)
    assert other.datasets == artifact.trained.config.datasets


def test_a_trained_model_is_a_torch_module(trained, data):
    model = trained[0]
    batch = next(iter(data.loader("test", batch_size=16)))
    with torch.no_grad():
        logit_BO = model.eval()(batch).logit_BO
    assert logit_BO.shape == (16, 1)
    assert sum(p.numel() for p in model.parameters()) == trained[1].run.parameters


def test_a_model_may_be_made_smaller_as_it_is_trained(data, frames, tmp_path, monkeypatch):
    # Processes of their own are looked at in tests/optimise.
    monkeypatch.setattr("nexusflow.optimise.measure.peak_memory_mb", lambda file, batch: 7.0)
    train_loader, val_loader, _ = data.loaders(batch_size=128)
    trainer = NexusFlowTrainer(model=NexusFormer(encoders("small")), folder=tmp_path / "runs")
    smaller = trainer.train(train_loader, val_loader, auto_optimize=True)
    record = smaller.optimization_metadata
    assert record["after"]["bytes"] < 0.6 * record["before"]["bytes"] and record["part"] == "test"
    assert record["before"]["peak_memory_mb"] == record["after"]["peak_memory_mb"] == 7.0
    path = smaller.save(tmp_path / "small.nxf")
    assert path.stat().st_size == record["after"]["bytes"]
    assert load_model(path).predict(frames).equals(smaller.predict(frames))
    whole = NexusFlowModelArtifact(model=trainer.model)
    pruned = nexusflow.optimize_model(whole, method="pruning", amount=0.3)
    assert not pruned.predict(frames).equals(whole.predict(frames))
    target = record["before"]["bytes"] / 2e6
    fitting = nexusflow.optimize_model(whole, target_size_mb=target)
    assert fitting.optimization_metadata["after"]["bytes"] <= 1e6 * target
    with pytest.raises(ConfigError, match="closest"):
        nexusflow.optimize_model(whole, target_size_mb=1e-4)


def test_a_model_without_data_says_so(data):
    model = NexusFormer(encoders=encoders())
    with pytest.raises(ConfigError, match="no weights yet"):
        model(next(iter(data.loader("train"))))
    network = model.build(data)
    assert model(next(iter(data.loader("train", batch_size=8)))).logit_BO.shape == (8, 1)
    assert [type(e).__name__ for e in network.encoders] == [type(e).__name__ for e in encoders()]


@pytest.mark.parametrize("kind", [FTTransformerEncoder, TabNetEncoder, StandardEncoder])
@pytest.mark.parametrize("complexity", ["small", "medium", "large"])
def test_an_encoder_by_itself_turns_tokens_into_rows(kind, complexity):
    encoder = kind(complexity=complexity).eval()
    tokens = torch.randn(5, 3, encoder.token_width)
    rows = encoder(tokens)
    assert rows.shape[0] == 5 and torch.equal(rows, encoder(tokens))
    assert list(encoder.parameters())


def test_loaders_cover_every_example_once(data):
    rows = np.concatenate([loader.rows for loader in data.loaders()])
    assert sorted(rows) == list(range(len(data.reader.examples)))
    loader = data.loader("train", batch_size=50, shuffle=True)
    seen = [batch.row_B.tolist() for batch in loader] if hasattr(next(iter(loader)), "row_B") else None
    assert len(list(loader)) == len(loader) == -(-len(loader.rows) // 50)
    assert seen is None or len(set(sum(seen, []))) == len(loader.rows)


def test_a_yaml_file_gives_the_data(tmp_path):
    data = RelationalData.from_config(CONFIG)
    assert set(data.tables) == set(TABLES) and data.task.target_column == "churned"


def test_a_classifier_follows_scikit_learn(frames):
    classifier = NexusFlowClassifier("customers.churned", settings=CHURN, encoders=encoders("small"))
    same = clone(classifier)
    assert same.get_params()["settings"] == CHURN and not hasattr(same, "artifact_")
    fitted = same.fit(frames)
    chance = fitted.predict_proba(frames)
    assert chance.shape == (CUSTOMERS, 2) and np.allclose(chance.sum(axis=1), 1)
    assert fitted.classes_.tolist() == [0, 1] and set(fitted.predict(frames)) <= {0, 1}
    right = fitted.predict(frames) == frames["customers"]["churned"]
    assert fitted.score(frames) == pytest.approx(right.mean())
    assert fitted.score(frames, frames["customers"]["churned"]) == fitted.score(frames)


def test_y_may_be_given_by_itself(frames):
    y = frames["customers"]["churned"].map({0: "stays", 1: "leaves"})
    X = {**frames, "customers": frames["customers"].drop(columns="churned")}
    fitted = NexusFlowClassifier("customers", settings=CHURN).fit(X, y)
    assert set(fitted.classes_) == {"leaves", "stays"}
    expected = predict_with(fitted.artifact_.trained, tables_of(X)).frame
    assert fitted.predict(X).tolist() == expected["prediction"].tolist()
    with pytest.raises(DataError, match="499 rows|shape"):
        NexusFlowClassifier("customers", settings=CHURN).fit(X, y[:-1])
    with pytest.raises(ConfigError, match="names a column"):
        NexusFlowClassifier("customers", settings=CHURN).fit(X)


def tables_of(frames):
    from nexusflow.services.opening import as_tables

    return as_tables(frames, ())


@pytest.mark.parametrize("values", [[True, False], [1.0, 0.0, None]])
def test_classes_come_back_as_they_were_given(frames, values):
    y = pd.Series([values[n % len(values)] for n in range(CUSTOMERS)])
    X = {**frames, "customers.csv": frames["customers"].drop(columns="churned")}
    del X["customers"]
    fitted = NexusFlowClassifier("customers.csv", settings=CHURN).fit(X, y)
    assert set(fitted.classes_.tolist()) == set(values) - {None}
    assert 0 <= fitted.score(X, y) <= 1


def test_a_table_that_is_given_twice_is_refused(frames, data):
    with pytest.raises(DataError, match="one name"):
        RelationalData.from_frames({**frames, "customers.csv": frames["customers"]}, data.config)


def test_a_regressor_predicts_numbers(frames):
    settings = {
        **CHURN,
        "target": {"cutoff_column": "snapshot_date", "hidden_columns": [["customers", "churned"]]},
    }
    fitted = NexusFlowRegressor("customers.age", settings=settings).fit(frames)
    assert fitted.predict(frames).shape == (CUSTOMERS,)
    assert fitted.score(frames) <= 1
    with pytest.raises(ConfigError, match="NexusFlowClassifier is for"):
        NexusFlowClassifier("customers.age", settings=settings).fit(frames)


ON_PROCESSORS = {
    "target": {"target_table": "customers", "target_column": "churned"},
    "datasets": [{"name": "customers"}],
    "training": {"device": "cpu", "distributed_strategy": "ddp", "devices": 3},
}


def trainer(**given):
    return NexusFlowTrainer(model=NexusFormer(), **given)


def test_what_the_trainer_is_given_of_processes_overrides_the_configuration(data):
    def found(**given):
        training = trainer(config=ON_PROCESSORS, **given).settings(data).training
        return training.distributed_strategy, training.devices

    assert found() == ("ddp", 3) and found(devices=[0, 1]) == ("ddp", (0, 1))
    assert found(strategy="ddp", devices="auto") == ("ddp", "auto")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FTTransformerEncoder(complexity="huge"), "complexity is one of"),
        (lambda: StandardEncoder(num_decision_steps=3), "only with transformer_type: tabnet"),
        (lambda: TabNetEncoder(steps=3), "steps is not a setting"),
        (lambda: NexusFormer(moe_experts=1), "num_experts"),
        (lambda: NexusFormer(embed_dim=1), "embed_dim is not a setting"),
        (lambda: trainer(distributed_strategy="ddp", strategy="deepspeed"), "strategy says the same as"),
        (lambda: trainer(strategy="horovod"), "distributed_strategy must be 'ddp', 'fsdp' or 'deepspeed'"),
        (lambda: trainer(devices="many"), "a list of numbers such as"),
        (lambda: trainer(num_nodes=2), "this process was started alone"),
        (
            lambda: trainer(distributed_strategy="fsdp", config=ON_PROCESSORS),
            "keeps a part of the model on each",
        ),
    ],
)
def test_what_has_no_effect_is_refused(make, words):
    with pytest.raises(ConfigError, match=words):
        make()


def test_encoders_must_fit_the_tables(data):
    with pytest.raises(ConfigError, match="2 encoders for 4 tables"):
        NexusFormer(encoders()[:2]).build(data)
    with pytest.raises(ConfigError, match="no table 'orders'"):
        NexusFormer([TabNetEncoder(table="orders.csv")]).build(data)
    with pytest.raises(ConfigError, match="Either every encoder"):
        NexusFormer([TabNetEncoder(table="customers"), TabNetEncoder()]).build(data)
    model = NexusFormer([TabNetEncoder("medium", table="store_visits.csv")])
    chosen = {d.table: d.transformer_type for d in model.configure(data.config).datasets}
    assert chosen["store_visits"] == "tabnet" and chosen["customers"] == "ft_transformer"


def test_loaders_must_belong_together(data, frames):
    train, validation, test = data.loaders()
    trainer = NexusFlowTrainer(model=NexusFormer())
    with pytest.raises(TrainingError, match="found train, test"):
        trainer.train(train, test)
    other = data.with_settings(project_name="other")
    with pytest.raises(TrainingError, match="same data"):
        trainer.train(train, other.loader("validation"))


def test_names_are_offered_without_loading_torch():
    assert set(nexusflow.__all__) <= set(dir(nexusflow))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        nexusflow.nothing  # noqa: B018
