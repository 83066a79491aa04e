"""Moved: the contract is penstock/components/model_contract.py, ground that sibling families share.

C2: import from penstock.components.model_contract (read_contract, ModelContract, SERVING_FOLDER); this file goes away.
"""
