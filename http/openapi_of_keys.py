"""What the OpenAPI document says about merchants and API keys."""

from __future__ import annotations

from headgate.http.key_schemas import (
    DemoMerchantAnswer,
    KeyAnswer,
    KeyList,
    KeyRequest,
    MerchantAnswer,
    MerchantRequest,
    NewKeyAnswer,
    RotateRequest,
)
from headgate.http.openapi_operation import API, Operation
from headgate.http.problems_of_access import ApiKeyNotActive, TooManyApiKeys
from headgate.http.problems_of_requests import ParameterInvalid, ParameterMissing, ResourceMissing
from headgate.http.problems_of_services import OutcomeUnknown

KEYS = (
    Operation(
        "post", f"{API}/api_keys", "createApiKey", "Make an API key; its secret is shown once",
        {201: NewKeyAnswer}, (TooManyApiKeys,),
        KeyRequest, {"name": "reports", "scopes": ["payments:read", "events:read"]},
        repeatable=True, scope="keys:write",
    ),
    Operation(
        "get", f"{API}/api_keys", "listApiKeys", "List API keys, newest first",
        {200: KeyList}, query=("limit", "starting_after"), scope="keys:read",
    ),
    Operation(
        "get", f"{API}/api_keys/{{id}}", "getApiKey", "Look up an API key",
        {200: KeyAnswer}, scope="keys:read",
    ),
    Operation(
        "post", f"{API}/api_keys/{{id}}/rotate", "rotateApiKey",
        "Replace an API key by a new one; the old one works until the overlap ends",
        {201: NewKeyAnswer}, (ApiKeyNotActive,), RotateRequest, {"overlap_s": 3600},
        may_be_empty=True, repeatable=True, scope="keys:write",
    ),
    Operation(
        "delete", f"{API}/api_keys/{{id}}", "revokeApiKey", "End an API key at once, for ever",
        {200: KeyAnswer}, (ParameterInvalid, OutcomeUnknown), query=("confirm",),
        scope="keys:write",
    ),
    Operation(
        "get", f"{API}/merchant", "getMerchant", "The merchant that the API key belongs to",
        {200: MerchantAnswer}, scope="keys:read",
    ),
    Operation(
        "patch", f"{API}/merchant", "updateMerchant",
        "Change the merchant; what is left out stays as it is", {200: MerchantAnswer},
        (ParameterMissing, OutcomeUnknown), MerchantRequest, {"name": "Corner Shop"},
        scope="keys:write",
    ),
    Operation(
        "get", f"{API}/test/merchant", "getTestMerchant", "The seed's demo merchant",
        {200: DemoMerchantAnswer}, (ResourceMissing,),
    ),
)  # fmt: skip
