"""Operations that span stores and other services: writing endpoints, running imports."""
