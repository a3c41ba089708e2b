"""Asks hospitals: HTTP and FHIR envelopes. It knows no SQL and nothing of the trial.

The walk of a pull, as the caller takes it:

    with connect(hospital, folder=..., clock=..., sleep=..., random=...) as connection:
        for question in plan.clinical(hospital, connection.capability, patients, coverage):
            for page in search.pages(connection, question):      # page.gaps says why an answer is not whole
                ...
"""
