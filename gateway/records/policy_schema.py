"""Writes the Cedar schema of the catalogue.

`python -m gateway.records.policy_schema > policies/bundles/schema.cedarschema`
"""

import sys

from gateway.records.policy_catalogue import policy_catalogue
from policies.schema import cedar_schema

if __name__ == "__main__":
    sys.stdout.write(cedar_schema(policy_catalogue()))
