"""Programs that use Touchpoint as its users do: through the public services only."""
