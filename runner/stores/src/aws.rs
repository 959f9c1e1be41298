//! The `aws` kind: AWS Secrets Manager, with the credentials of the usual chain (environment,
//! profile, web identity, container, instance).

use std::error::Error;

use async_trait::async_trait;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_secretsmanager::config::{Builder, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_secretsmanager::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;
use wharf_policy::AwsConfig;

use crate::bounds::{LARGEST_ANSWER, is_too_large, too_large};
use crate::client::Kept;
use crate::open::Unusable;
use crate::within::within;
use crate::{Document, Place, SecretStore, SecretValue, StoreError, address};

/// Identifiers of versions have at least so many characters; what is shorter is a stage.
const SHORTEST_ID: usize = 32;
const ATTEMPTS: u32 = 2;
const WHOM: &str = "AWS Secrets Manager";

/// Secrets Manager of one region.
pub(crate) struct AwsStore {
    config: AwsConfig,
    client: Kept<Client>,
}

impl AwsStore {
    /// Looks at the table; credentials are looked for when they are needed.
    pub(crate) fn open(config: &AwsConfig) -> Result<Self, Unusable> {
        if let Some(endpoint) = &config.endpoint {
            address::parse(endpoint, config.plain_http)?;
        }
        Ok(Self {
            config: config.clone(),
            client: Kept::default(),
        })
    }

    async fn client(&self) -> Result<Client, StoreError> {
        self.client.get(self.make_client()).await
    }

    async fn make_client(&self) -> Result<Client, StoreError> {
        let timeout = self.config.timeout.duration();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(timeout)
            .operation_attempt_timeout(timeout)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts);
        if let Some(region) = &self.config.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &self.config.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(endpoint) = &self.config.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        let config = loader.load().await;
        if config.region().is_none() {
            // The machine's metadata may have it in a moment; a client made now would lack it for ever.
            return Err(StoreError::Unavailable(
                WHOM.to_owned(),
                "its region is not known: write it in the table, or see that the machine tells it"
                    .to_owned(),
            ));
        }
        let config = Builder::from(&config).interceptor(OneAnswer);
        Ok(Client::from_conf(config.build()))
    }

    async fn ask(&self, place: &Place) -> Result<Document, StoreError> {
        let client = self.client().await?;
        let request = client.get_secret_value().secret_id(&place.path);
        let request = match &place.version {
            None => request,
            Some(id) if id.len() >= SHORTEST_ID => request.version_id(id),
            Some(stage) => request.version_stage(stage),
        };
        let answer = request
            .send()
            .await
            .map_err(|error| trouble(&error, place))?;
        let value = match (answer.secret_string, answer.secret_binary) {
            (Some(text), _) => text.into_bytes(),
            (None, Some(blob)) => blob.into_inner(),
            (None, None) => return Err(StoreError::Absent(place.to_string())),
        };
        Ok(Document::text(SecretValue::new(value)))
    }
}

#[async_trait]
impl SecretStore for AwsStore {
    fn check(&self, _: &Place) -> Result<(), StoreError> {
        Ok(())
    }

    async fn fetch(&self, place: &Place) -> Result<Document, StoreError> {
        let answer = within(self.config.timeout, WHOM, self.ask(place)).await;
        self.client.learn(answer).await
    }
}

/// One answer for a connection, and no more of it than a secret can be: nothing of a value stays in
/// the buffers of a connection that waits for another use.
#[derive(Debug)]
struct OneAnswer;

impl Intercept for OneAnswer {
    fn name(&self) -> &'static str {
        "OneAnswer"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // After it was signed, which does not cover this.
        let headers = context.request_mut().headers_mut();
        headers.insert("connection", "close");
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = std::mem::replace(context.response_mut().body_mut(), SdkBody::taken());
        let body = Limited::new(body, LARGEST_ANSWER);
        *context.response_mut().body_mut() = SdkBody::from_body_1_x(body);
        Ok(())
    }
}

/// Sorts out what AWS means. Its codes are its interface; its messages are not repeated.
fn trouble(error: &SdkError<GetSecretValueError>, place: &Place) -> StoreError {
    let outage = |why: String| StoreError::Unavailable(WHOM.to_owned(), why);
    if is_too_large(error) {
        return too_large(WHOM);
    }
    if has_no_credentials(error) {
        return StoreError::Login(
            WHOM.to_owned(),
            "there are no credentials: see that AWS's usual chain finds some, such as a profile or a role of the machine".to_owned(),
        );
    }
    let service = match error {
        SdkError::ServiceError(service) => service,
        // It is there as a whole, and says nothing. One that broke off is not.
        SdkError::ResponseError(answer) if answer.raw().body().bytes().is_some() => {
            return StoreError::BadAnswer(WHOM.to_owned(), "it is not what AWS answers".to_owned());
        }
        SdkError::TimeoutError(_) => return outage("no answer in time".to_owned()),
        _ => return outage("it cannot be reached, or its credentials cannot be had".to_owned()),
    };
    let status = service.raw().status();
    let code = service.err().code().unwrap_or_default();
    match code {
        // `InvalidRequest`: it is marked for deletion.
        "ResourceNotFoundException" | "InvalidRequestException" => {
            StoreError::Absent(place.to_string())
        }
        "AccessDeniedException" | "DecryptionFailure" => StoreError::Denied(
            place.to_string(),
            "allow secretsmanager:GetSecretValue on it, and kms:Decrypt with its key".to_owned(),
        ),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "ExpiredTokenException" => StoreError::Login(
            WHOM.to_owned(),
            "the credentials are not valid, or not any more".to_owned(),
        ),
        "ThrottlingException"
        | "Throttling"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "SlowDown"
        | "InternalServiceError" => outage(code.to_owned()),
        _ if matches!(status.as_u16(), 408 | 429 | 500..) => {
            outage(format!("HTTP {}", status.as_u16()))
        }
        _ => StoreError::BadAnswer(WHOM.to_owned(), format!("HTTP {}", status.as_u16())),
    }
}

/// Whether nobody whom the chain asks has any credentials.
fn has_no_credentials(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(|error| {
        matches!(
            error.downcast_ref(),
            Some(CredentialsError::CredentialsNotLoaded(_))
        )
    })
}
