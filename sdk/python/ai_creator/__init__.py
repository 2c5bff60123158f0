"""A Tributary gateway's calls and accounts, over the official OpenAI package.

Answers of models, streams, retries and errors are the ``openai`` package's own; what it has
no types for is in :mod:`ai_creator.types`.
"""

from .client import AsyncOAuthClient, OAuthClient

__all__ = ["AsyncOAuthClient", "OAuthClient"]
__version__ = "0.1.0"
