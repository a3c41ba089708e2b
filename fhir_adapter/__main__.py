"""`python -m fhir_adapter` is the same as the command `fhir-adapter`."""

from fhir_adapter.cli.app import main

if __name__ == "__main__":
    main()
