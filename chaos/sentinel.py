# SPDX-License-Identifier: Apache-2.0
"""The sentinel of each collection (common/mongo/schema.h), which is none of the documents that the rules are about."""

ID = "allotd.sentinel"
EXCLUDED = {"_id": {"$ne": ID}}
