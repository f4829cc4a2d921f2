"""How a model is learnt: configuration, fit, evaluation, report, and the run folder they share."""
