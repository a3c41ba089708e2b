"""What a scheduled job needs: what is due, the loop, the log, metrics, and notices. Knows no database and no FHIR."""
