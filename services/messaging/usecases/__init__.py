"""Operations that span the store and the clock."""
