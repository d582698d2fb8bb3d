"""Which environment variables a child gets."""

from __future__ import annotations

import pytest

from asyncsweep.link.environment import LISTED, missed, passed_on

NEEDED = """
    PATH HOME USER LANG LC_ALL LC_NUMERIC TZ TMPDIR TERM COLUMNS XDG_CACHE_HOME PYTHONPATH PYTHONHASHSEED PYTHONUNBUFFERED
    VIRTUAL_ENV CONDA_PREFIX CONDA_DEFAULT_ENV PYENV_ROOT LD_LIBRARY_PATH LD_PRELOAD DYLD_LIBRARY_PATH CUDA_VISIBLE_DEVICES
    CUDA_HOME NVIDIA_VISIBLE_DEVICES NCCL_DEBUG HIP_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES OMP_NUM_THREADS MKL_NUM_THREADS
    OPENBLAS_NUM_THREADS NUMEXPR_MAX_THREADS KMP_AFFINITY TORCH_HOME TORCHINDUCTOR_CACHE_DIR PYTORCH_CUDA_ALLOC_CONF XLA_FLAGS
    JAX_PLATFORMS TF_CPP_MIN_LOG_LEVEL KERAS_BACKEND TOKENIZERS_PARALLELISM HF_HOME HF_HUB_OFFLINE TRANSFORMERS_CACHE
    MPLBACKEND MPLCONFIGDIR QT_QPA_PLATFORM DISPLAY XAUTHORITY MUJOCO_GL SSL_CERT_FILE REQUESTS_CA_BUNDLE HTTPS_PROXY no_proxy
    WANDB_MODE MLFLOW_TRACKING_URI HYDRA_FULL_ERROR SLURM_JOB_ID AWS_PROFILE CC CXX MAX_JOBS JAVA_HOME ASYNCSWEEP_DEBUG
    ASYNCSWEEP_WORKER
"""
HELD_BACK = """
    HF_TOKEN HUGGINGFACE_HUB_TOKEN WANDB_API_KEY MLFLOW_TRACKING_PASSWORD COMET_API_KEY KAGGLE_KEY CONDA_TOKEN JUPYTER_TOKEN
    UV_INDEX_PRIVATE_PASSWORD AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN OPENAI_API_KEY GITHUB_TOKEN SSH_AUTH_SOCK
    DATABASE_URL PGPASSWORD DBUS_SESSION_BUS_ADDRESS SUDO_USER PASSWORD ASYNCSWEEP_TOKEN XPATH PATHS MY_PATH path
"""


@pytest.mark.parametrize("name", NEEDED.split())
def test_what_a_program_needs_is_passed_on(name: str) -> None:
    assert passed_on({name: "value"}) == {name: "value"}


@pytest.mark.parametrize("name", HELD_BACK.split())
def test_what_it_does_not_need_is_held_back(name: str) -> None:
    assert passed_on({name: "value"}) == {}


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy", "MLFLOW_TRACKING_URI", "UV_INDEX_URL"])
def test_a_url_with_a_password_is_held_back(name: str) -> None:
    assert passed_on({name: "http://me:hunter2@host:80"}) == {}


def test_what_the_user_names_goes_as_it_is() -> None:
    environment = {"HF_TOKEN": "a", "MYAPP_A": "b", "MYAPP_API_KEY": "c", "OTHER": "d", "XMYAPP_": "e"}
    assert list(passed_on(environment, ["HF_TOKEN", "MYAPP_*"])) == ["HF_TOKEN", "MYAPP_A", "MYAPP_API_KEY"]


def test_a_star_passes_all() -> None:
    environment = {"HF_TOKEN": "a", "x y": "b", "new\nline": "http://me:hunter2@host"}
    assert passed_on(environment, ("*",)) == environment


def test_other_signs_in_a_name_stand_for_themselves() -> None:
    assert passed_on({"A.B": "1", "AxB": "2", "A[B]": "3"}, ["A.B", "A[B]"]) == {"A.B": "1", "A[B]": "3"}


def test_no_name_is_listed_twice() -> None:
    assert len(set(LISTED)) == len(LISTED)


@pytest.mark.parametrize(
    ("message", "traceback"),
    [
        ("KeyError: 'data_dir'", ""),
        ("RuntimeError: no data", "Traceback ...\nKeyError: 'data_dir'\n\nThe above ...\nRuntimeError: no data\n"),
        ("ProgramFailed: exit code 1: ./train.sh: line 3: data_dir: unbound variable", ""),
        ("ProgramFailed: exit code 2: sh: 1: data_dir: parameter not set", ""),
        ("OpenAIError: set the DATA_DIR environment variable", ""),
    ],
)
def test_an_error_tells_which_variable_was_missed(message: str, traceback: str) -> None:
    name = "DATA_DIR" if "DATA_DIR" in message else "data_dir"
    assert missed(message, traceback, {name: "here", "PATH": "here"}) == (name,)


@pytest.mark.parametrize(
    ("message", "environment", "pass_env"),
    [
        ("KeyError: 'DATA_DIR'", {}, ()),
        ("KeyError: 'DATA_DIR'", {"DATA_DIR": "here"}, ("DATA_*",)),
        ("KeyError: 'CUDA_HOME'", {"CUDA_HOME": "here"}, ()),
        ("ValueError: MAIL is not in the list", {"MAIL": "here"}, ()),
        ("ValueError: MY_DATA_DIRS", {"DATA_DIR": "here"}, ()),
    ],
)
def test_an_error_of_something_else_has_no_hint(
    message: str, environment: dict[str, str], pass_env: tuple[str, ...]
) -> None:
    assert missed(message, message, environment, pass_env) == ()
