"""The wire contracts: models are the source, JSON Schemas and the AsyncAPI document are generated from them."""
