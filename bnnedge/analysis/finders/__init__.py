"""One file per question that findings answer: which rows are alike, what cannot change, what may go."""
