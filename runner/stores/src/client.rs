//! A client that is made when it is first needed, and again after its credentials were refused: by
//! then there may be others.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::StoreError;

/// One that was made so recently saw the credentials that there are.
const FRESH: Duration = Duration::from_secs(5);

/// A client, once it is there.
pub(crate) struct Kept<C>(Mutex<Option<(C, Instant)>>);

impl<C> Default for Kept<C> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<C: Clone> Kept<C> {
    /// The client; made, by one for all who wait, if there is none.
    pub(crate) async fn get(
        &self,
        make: impl Future<Output = Result<C, StoreError>>,
    ) -> Result<C, StoreError> {
        let mut kept = self.0.lock().await;
        if let Some((client, _)) = &*kept {
            return Ok(client.clone());
        }
        let client = make.await?;
        *kept = Some((client.clone(), Instant::now()));
        Ok(client)
    }

    /// What a question gave. If it was that the credentials are not taken, the next question makes
    /// another client.
    pub(crate) async fn learn<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Login(..)) = &answer {
            let is_fresh = |(_, made): &mut (C, Instant)| made.elapsed() < FRESH;
            let mut kept = self.0.lock().await;
            if !kept.as_mut().is_some_and(is_fresh) {
                *kept = None;
            }
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_is_made_again_after_its_credentials_were_refused_and_else_kept() {
        let kept = Kept::default();
        let answers = [
            StoreError::Denied("a".into(), "b".into()),
            StoreError::Login("a".into(), "b".into()),
        ];
        for (answer, next) in answers.into_iter().zip([1, 2]) {
            assert_eq!(kept.get(async { Ok(1) }).await.unwrap(), 1);
            if let Some((_, made)) = &mut *kept.0.lock().await {
                *made -= FRESH;
            }
            kept.learn::<()>(Err(answer)).await.unwrap_err();
            assert_eq!(kept.get(async { Ok(2) }).await.unwrap(), next);
        }
        // This one was just made.
        let refused = StoreError::Login("a".into(), "b".into());
        kept.learn::<()>(Err(refused)).await.unwrap_err();
        assert_eq!(kept.get(async { Ok(3) }).await.unwrap(), 2);
    }
}
