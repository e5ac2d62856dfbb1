"""The Python interface: data, encoders, model, trainer, artifact and scikit-learn estimators, as `nexusflow.NAME`."""
