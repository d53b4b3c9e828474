"""Submissions, their scores and their ranking, kept in SQL tables; knows no HTTP."""
