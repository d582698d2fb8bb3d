"""Which environment variables a child process gets: those that a program needs to run as it would in the user's shell, and no secrets.

A name is passed on when it is listed here, or when the user names it (`pass_env`). What is listed here is still held back when its
name looks like a secret's, as in `HF_TOKEN`, or when its value is a URL with a password, as of a proxy. What the user names goes as
it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from asyncsweep.worker.secrets import is_secret_variable, url_password

# Who and where the user is; which program, folder and time zone is meant.
_SYSTEM = """
    PATH HOME USER LOGNAME USERNAME SHELL PWD OLDPWD HOSTNAME HOSTTYPE OSTYPE MACHTYPE TMPDIR TEMP TMP SCRATCH TZ TZDIR XDG_* CI
    __CF_USER_TEXT_ENCODING
"""
# In which language and encoding texts are read and written.
_LOCALE = "LANG LANGUAGE LC_* LOCPATH LOCALE_ARCHIVE NLSPATH"
# What programs know of the terminal, also where their output goes to a log.
_TERMINAL = (
    "TERM TERMINFO TERMINFO_DIRS COLORTERM COLUMNS LINES NO_COLOR FORCE_COLOR CLICOLOR CLICOLOR_FORCE PAGER LESS"
)
# Where shared libraries are, which modules of a cluster's software are loaded, and how the allocator behaves (jemalloc and tcmalloc are loaded by LD_PRELOAD).
_LOADER = """
    LD_* DYLD_* GLIBC_TUNABLES MALLOC_* TCMALLOC_* MIMALLOC_* NIX_* GUIX_* MODULEPATH LOADEDMODULES _LMFILES_ LMOD_* EBROOT*
    EBVERSION* SPACK_* BASH_ENV BASH_FUNC_module%% BASH_FUNC_ml%%
"""
# Which Python and which packages it finds; debuggers and notebooks that follow it.
_PYTHON = """
    PYTHON* VIRTUAL_ENV VIRTUAL_ENV_PROMPT CONDA_* _CONDA_* _CE_* MAMBA_* PYENV_* PIXI_* POETRY_ACTIVE PIPENV_ACTIVE UV_*
    __PYVENV_LAUNCHER__ PYDEVD_* IPYTHONDIR JUPYTER_*
"""
# Other languages' programs that a trial may be or may start, and compilers for kernels and extensions that are built on the fly.
_LANGUAGES = """
    JAVA_HOME JAVA_OPTS CLASSPATH SPARK_* HADOOP_* R_HOME R_LIBS* R_PROFILE* JULIA_* PERL5LIB PERL_* NODE_PATH NODE_OPTIONS
    LUA_PATH LUA_CPATH GOPATH GOROOT CARGO_HOME RUSTUP_HOME RUST_BACKTRACE DOTNET_ROOT MATLABPATH
    CC CXX CPP FC LD AR CFLAGS CXXFLAGS CPPFLAGS LDFLAGS CPATH C_INCLUDE_PATH CPLUS_INCLUDE_PATH LIBRARY_PATH PKG_CONFIG_PATH
    MAX_JOBS CMAKE_* NINJA_* SDKROOT MACOSX_DEPLOYMENT_TARGET DEVELOPER_DIR
"""
# Which devices are used, and how they talk to each other.
_DEVICES = """
    CUDA_* CUDNN_* CUBLAS_* CUPY_* NVIDIA_* NVTE_* NVPL_* NCCL_* RCCL_* GLOO_* UCX_* UCC_* IBV_* FI_* HIP_* ROCR_* ROCM_* ROC_*
    HSA_* MIOPEN_* AMD_* GPU_* ONEAPI_* SYCL_* ZE_* ONEDNN_* DNNL_* IPEX_* TPU_* LIBTPU_* PJRT_* XLA_* XRT_* NEURON_* HABANA_*
    ASCEND_* PT_HPU_* METAL_* MTL_*
"""
# How many threads are used, and for what.
_THREADS = """
    OMP_* GOMP_* KMP_* MKL_* OPENBLAS_* GOTO_* BLIS_* VECLIB_* NUMEXPR_* NUMBA_* NPY_* TBB_* LOKY_* JOBLIB_* RAYON_* POLARS_*
    ARROW_*
"""
# Settings, caches and modes of frameworks.
_FRAMEWORKS = """
    TORCH* PYTORCH_* ATEN_* TRITON_* LIGHTNING_* PL_* TF_* TFDS_* TENSORFLOW_* KERAS_* GRPC_* JAX_* FLAX_* MXNET_* DMLC_*
    DEEPSPEED_* DS_* ACCELERATE_* HF_* HUGGINGFACE_* TRANSFORMERS_* DIFFUSERS_* DATASETS_* SENTENCE_TRANSFORMERS_* TOKENIZERS_*
    TIKTOKEN_* VLLM_* BITSANDBYTES_* SKLEARN_* SCIPY_* NLTK_DATA KAGGLE_* OPENML_* DVC_* HYDRA_* OPTUNA_* RAY_*
    WANDB_* MLFLOW_* COMET_* NEPTUNE_* CLEARML_* AIM_* TENSORBOARD_*
"""
# Where pictures are drawn, on a screen or without one.
_DISPLAY = """
    DISPLAY WAYLAND_DISPLAY XAUTHORITY MPLBACKEND MPLCONFIGDIR MATPLOTLIBRC QT_* GDK_* SDL_* EGL_* LIBGL_* MESA_* __GL_* __EGL_*
    __GLX_* VK_* MUJOCO_* PYOPENGL_* PYGLET_* OPENCV_* IMAGEIO_* FFMPEG_* GDAL_* PROJ_*
"""
# How the network is reached, and whose certificates are trusted; which account of a cloud is meant, but not its keys.
_NETWORK = """
    HTTP_PROXY HTTPS_PROXY FTP_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy ftp_proxy all_proxy no_proxy SSL_CERT_FILE
    SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE HTTPLIB2_CA_CERTS NODE_EXTRA_CA_CERTS GIT_SSL_CAINFO OPENSSL_CONF
    AWS_PROFILE AWS_REGION AWS_DEFAULT_REGION AWS_CONFIG_FILE AWS_CA_BUNDLE AWS_ENDPOINT_URL* GOOGLE_CLOUD_PROJECT CLOUDSDK_CONFIG
    AZURE_CONFIG_DIR KRB5_CONFIG KRB5CCNAME
"""
# What a batch system says of the job that the sweep runs in.
_CLUSTER = "SLURM_* PBS_* LSB_* LSF_* SGE_* NSLOTS JOB_ID"
# Our own, among them the mark by which descendants of a worker are found.
_OURS = "ASYNCSWEEP_*"

LISTED = tuple(
    " ".join(
        (
            *(_SYSTEM, _LOCALE, _TERMINAL, _LOADER, _PYTHON, _LANGUAGES, _DEVICES, _THREADS, _FRAMEWORKS),
            *(_DISPLAY, _NETWORK, _CLUSTER, _OURS),
        )
    ).split()
)
"""The names that are passed on; `*` stands for anything."""

_MOST_MISSED = 5


def passed_on(environment: Mapping[str, str], pass_env: Sequence[str] = ()) -> dict[str, str]:
    """The part of an environment that a child process gets.

    Args:
        environment: Ours.
        pass_env: Names that are passed on in any case; `*` in one stands for anything.
    """
    return {
        name: value
        for name, value in environment.items()
        if _matches(name, tuple(pass_env)) or _is_harmless(name, value)
    }


def _is_harmless(name: str, value: str) -> bool:
    return _matches(name, LISTED) and not is_secret_variable(name) and not url_password(value)


@lru_cache(maxsize=4096)
def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return _pattern(patterns).fullmatch(name) is not None


@lru_cache(maxsize=64)
def _pattern(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(pattern).replace(r"\*", ".*") for pattern in patterns) or "(?!)", re.DOTALL)


def missed(
    message: str, traceback: str, environment: Mapping[str, str], pass_env: Sequence[str] = ()
) -> tuple[str, ...]:
    """The variables that an error of a child speaks of, and that are set here and were not passed on; at most five.

    Args:
        message: The last line of the error: its class, a colon, and its text.
        traceback: All of it, with the errors that led to it; may be empty.
        environment: Ours.
        pass_env: As for `passed_on`.
    """
    names = re.findall(r"^KeyError: '(\w+)'", f"{traceback}\n{message}", re.MULTILINE)
    names += re.findall(r"\b(\w+): (?:unbound variable|parameter not set)", message)
    names += re.findall(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]*\b", message)
    return _held_back(names, environment, pass_env)


def read_in(source: str, environment: Mapping[str, str], pass_env: Sequence[str] = ()) -> tuple[str, ...]:
    """The variables that Python code reads by their names, and that are set here and are not passed on; at most five.

    What has a default there (`os.environ.get("DATA", "/data")`) would silently be the default, so this is for a warning.
    """
    names = re.findall(r"""\b(?:environ(?:\.get\(|\.pop\(|\[)|getenv\()\s*["'](\w+)["']""", source)
    return _held_back(names, environment, pass_env)


def _held_back(names: Sequence[str], environment: Mapping[str, str], pass_env: Sequence[str]) -> tuple[str, ...]:
    passed = passed_on(environment, pass_env) if names else {}
    return tuple(name for name in dict.fromkeys(names) if name in environment and name not in passed)[:_MOST_MISSED]
