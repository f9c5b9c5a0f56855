#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() {
  cat <<'HELP'
Start an MLflow server, seen from this machine only.

  infra/mlflow/serve.sh                               this repository's mlflow.db and mlruns/, as `make ui`
  infra/mlflow/serve.sh --backend postgresql://user@host/mlflow --artifacts s3://bucket/mlflow

  --backend URI      where runs live: sqlite:///FILE or postgresql://…   (MLFLOW_BACKEND_STORE_URI; sqlite:///mlflow.db)
  --artifacts PLACE  where models and grids live: a path or s3://…       (MLFLOW_ARTIFACTS_DESTINATION; mlruns)
  --host, --port     where it listens                                    (MLFLOW_HOST, MLFLOW_PORT; 127.0.0.1, 5000)
  -- OPTION …        handed on to `mlflow server`, as in: -- --workers 8

Keep a PostgreSQL password out of the process list: PGPASSWORD or ~/.pgpass. S3 takes MLFLOW_S3_ENDPOINT_URL and AWS_*.
Other hosts: --host 0.0.0.0 -- --allowed-hosts NAME, behind something that asks who they are: MLflow does not.
Then, for the pipeline: export MLFLOW_TRACKING_URI=http://127.0.0.1:5000
HELP
}

fail() {
  echo "serve.sh: $*" >&2
  exit 2
}

backend=${MLFLOW_BACKEND_STORE_URI:-sqlite:///mlflow.db}
artifacts=${MLFLOW_ARTIFACTS_DESTINATION:-mlruns}
host=${MLFLOW_HOST:-127.0.0.1}
port=${MLFLOW_PORT:-5000}
while (($#)); do
  case $1 in
    -h | --help) usage && exit ;;
    --) shift && break ;;
    --backend | --artifacts | --host | --port)
      (($# > 1)) || fail "$1 needs a value"
      printf -v "${1#--}" %s "$2"
      shift 2 ;;
    *) fail "no option $1; --help lists them" ;;
  esac
done

PATH="$PWD/.venv/bin:$PATH"
command -v mlflow >/dev/null || fail "mlflow is not installed; run: make setup"
[[ $artifacts == *://* ]] || artifacts=$(realpath -m "$artifacts")
case $backend in
  postgresql*)
    python -c 'import psycopg2' 2>/dev/null || fail "PostgreSQL needs psycopg2; run: pip install psycopg2-binary"
    # SQLAlchemy 2.1 takes a bare postgresql:// for psycopg 3.
    backend=${backend/#postgresql:/postgresql+psycopg2:}
    # Workers on other machines send artifacts through the server, so they need no key to its storage.
    storage=(--artifacts-destination "$artifacts" --workers 4) ;;
  sqlite:*)
    # One machine: a run that opens mlflow.db itself and one that asks this server write to the same place.
    python -m ganflow.tracking.moved_artifacts "$backend" # a project that was moved finds its artifacts again
    storage=(--no-serve-artifacts --default-artifact-root "$artifacts" --workers 1) ;;
  *) fail "no backend ${backend%%:*}; sqlite:///FILE or postgresql://USER@HOST/DATABASE" ;;
esac

# MLflow's background jobs judge language models: nothing here asks for them, and they are a process each.
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
# Neither the server nor its pages tell anyone outside what is done here.
export MLFLOW_DISABLE_TELEMETRY=true
echo "MLflow: http://$host:$port   runs: ${backend%%[:+]*}   artifacts: $artifacts   (Ctrl-C ends it)"
exec mlflow server --backend-store-uri "$backend" "${storage[@]}" --host "$host" --port "$port" "$@"
