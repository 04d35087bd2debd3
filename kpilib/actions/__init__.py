"""The call list that measures itself: who to call about what, whom to leave alone, and what came of it."""
