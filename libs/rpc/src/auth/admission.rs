//! Connections and subscriptions that somebody else may decide on, there and back.
use domain::{Admission, Admitted, Decision, Error, Grant, REFUSAL_BYTES_MAX, Refusal, Result};
use proto::auth::v1;

use crate::convert::{IntoDomain, IntoProto, required, text_or_empty};

impl IntoProto for Admission {
    type Proto = v1::AdmitRequest;
    fn into_proto(self) -> v1::AdmitRequest {
        let Self { token, data, name, version, headers, address, refresh } = self;
        v1::AdmitRequest {
            token,
            data,
            name,
            version,
            headers: headers.into_iter().collect(),
            address: text_or_empty(address),
            refresh: refresh.map(IntoProto::into_proto),
        }
    }
}

impl IntoDomain for v1::AdmitRequest {
    type Domain = Admission;
    fn into_domain(self) -> Result<Admission> {
        let Self { token, data, name, version, headers, address, refresh } = self;
        let address = match address.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|_| Error::invalid("address: not an IP address"))?),
        };
        let (headers, refresh) =
            (headers.into_iter().collect(), refresh.map(IntoDomain::into_domain));
        let refresh = refresh.transpose()?;
        Ok(Admission { token, data, name, version, headers, address, refresh })
    }
}

impl IntoProto for Decision<Admitted> {
    type Proto = v1::AdmitResponse;
    fn into_proto(self) -> v1::AdmitResponse {
        let outcome = match self {
            Self::Granted(Admitted { verified, guarded_kinds }) => {
                let verified = Some(verified.into_proto());
                v1::admit_response::Outcome::Admitted(v1::Admitted { verified, guarded_kinds })
            }
            Self::Refused(refusal) => v1::admit_response::Outcome::Refusal(refusal.into_proto()),
        };
        v1::AdmitResponse { outcome: Some(outcome) }
    }
}

impl IntoDomain for v1::AdmitResponse {
    type Domain = Decision<Admitted>;
    fn into_domain(self) -> Result<Decision<Admitted>> {
        match self.outcome {
            Some(v1::admit_response::Outcome::Admitted(admitted)) => {
                let verified = required(admitted.verified, "verified")?;
                let guarded_kinds = admitted.guarded_kinds;
                Ok(Decision::Granted(Admitted { verified, guarded_kinds }))
            }
            Some(v1::admit_response::Outcome::Refusal(refusal)) => {
                Ok(Decision::Refused(refusal.into_domain()?))
            }
            None => Err(undecided()),
        }
    }
}

impl IntoProto for Decision<Grant> {
    type Proto = v1::AuthoriseResponse;
    fn into_proto(self) -> v1::AuthoriseResponse {
        let outcome = match self {
            Self::Granted(grant) => v1::authorise_response::Outcome::Grant(grant.into_proto()),
            Self::Refused(refusal) => {
                v1::authorise_response::Outcome::Refusal(refusal.into_proto())
            }
        };
        v1::AuthoriseResponse { outcome: Some(outcome) }
    }
}

impl IntoDomain for v1::AuthoriseResponse {
    type Domain = Decision<Grant>;
    fn into_domain(self) -> Result<Decision<Grant>> {
        match self.outcome {
            Some(v1::authorise_response::Outcome::Grant(grant)) => {
                Ok(Decision::Granted(grant.into_domain()?))
            }
            Some(v1::authorise_response::Outcome::Refusal(refusal)) => {
                Ok(Decision::Refused(refusal.into_domain()?))
            }
            None => Err(undecided()),
        }
    }
}

impl IntoProto for Refusal {
    type Proto = v1::Refusal;
    fn into_proto(self) -> v1::Refusal {
        let how = match self {
            Self::Error { code, message, temporary } => {
                v1::refusal::How::Error(v1::RefusedError { code, message, temporary })
            }
            Self::Disconnect { reason, reconnect } => {
                v1::refusal::How::Disconnect(v1::RefusedDisconnect { reason, reconnect })
            }
        };
        v1::Refusal { how: Some(how) }
    }
}

impl IntoDomain for v1::Refusal {
    type Domain = Refusal;
    fn into_domain(self) -> Result<Refusal> {
        let refusal = match self.how {
            Some(v1::refusal::How::Error(v1::RefusedError { code, message, temporary })) => {
                Refusal::Error { code, message, temporary }
            }
            Some(v1::refusal::How::Disconnect(v1::RefusedDisconnect { reason, reconnect })) => {
                Refusal::Disconnect { reason, reconnect }
            }
            None => return Err(undecided()),
        };
        let (Refusal::Error { message: text, .. } | Refusal::Disconnect { reason: text, .. }) =
            &refusal;
        if text.len() > REFUSAL_BYTES_MAX {
            return Err(Error::invalid("the words of a refusal are too long"));
        }
        Ok(refusal)
    }
}

fn undecided() -> Error {
    Error::invalid("an outcome of an unknown kind")
}
