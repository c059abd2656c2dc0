"""Estimators in scikit-learn's conventions, for tables: thin, over what the package offers."""
