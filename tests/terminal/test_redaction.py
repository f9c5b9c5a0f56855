import pytest

from ganflow.terminal.redaction import hidden, redact


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("postgresql://me:p@ss@db:5432/mlflow", "postgresql://***@db:5432/mlflow"),
        ("postgresql://me:p/w#1?@db/mlflow", "postgresql://***@db/mlflow"),
        ("at http://token@host/x failed", "at http://***@host/x failed"),
        ("s3://bucket/key?secret_access_key=abc&x=1", "s3://bucket/key?secret_access_key=***&x=1"),
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
        ("models:/name@alias", "models:/name@alias"),
    ],
)
def test_redact(text: str, clean: str) -> None:
    assert redact(text) == clean


def test_a_tree_stays_as_it_is_but_for_its_secrets() -> None:
    tree = {"uri": "http://me:p@host/", "keys": ["s3://a:b@c/d"], "db": {"password": "x", "port": 1, "api_token": ""}}
    shown = {"uri": "http://***@host/", "keys": ["s3://***@c/d"], "db": {"password": "***", "port": 1, "api_token": ""}}
    assert hidden(tree) == shown
