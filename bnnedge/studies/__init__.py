"""Studies: many trainings of one question, their statistics, and what a paper is compared with."""
