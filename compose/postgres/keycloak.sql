-- Keycloak's own database, beside roomcast's. Run once, with an empty data folder.
CREATE DATABASE keycloak;
