"""The version, written once; read by the build and by `kitwire.__version__`."""

__version__ = "0.1.0"
