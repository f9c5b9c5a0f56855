"""The stages of dvc.yaml, one entry point each. They never import each other."""
